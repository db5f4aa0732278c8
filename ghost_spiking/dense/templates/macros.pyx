{# Evaluates the one-sided factors of a block into their buffers. #}
{% macro evaluate(block, size, scalar_code, vector_code) %}
{% if block in vector_code %}
    _vectorisation_idx = 1
    {{scalar_code[block]|autoindent}}
    for _idx in range({{size}}):
        _vectorisation_idx = _idx
        {{vector_code[block]|autoindent}}
{% endif %}
{% endmacro %}

{% macro scalars(scalar_code, vector_code) %}
{% if 'scalars' in scalar_code %}
    _vectorisation_idx = 1
    {{scalar_code['scalars']|autoindent}}
    {{vector_code['scalars']|autoindent}}
{% endif %}
{% endmacro %}

{# Computes something for each synapse, and adds it up where `index` says. The matrix is walked
   through as it is stored. #}
{% macro each(e, kwds, variables, get_array_name, scalar_code, vector_code, out, index) %}
{% set outer, inner = ('post', 'pre') if kwds.stored_transposed else ('pre', 'post') %}
{% set sizes = {'pre': kwds.n_pre, 'post': kwds.n_post} %}
    if {{e.scale}} != 0:
        _vectorisation_idx = 1
        {{scalar_code[e.block]|autoindent}}
        for _{{outer}} in range({{sizes[outer]}}):
        {% for side, name, array in e.parts if side == outer %}
            {{name}} = {{get_array_name(variables[array])}}[_{{outer}}]
        {% endfor %}
            for _{{inner}} in range({{sizes[inner]}}):
                _vectorisation_idx = _{{inner}}
            {% for side, name, array in e.parts if side == inner %}
                {{name}} = {{get_array_name(variables[array])}}[_{{inner}}]
            {% endfor %}
            {% for side, name, array in e.parts if side == 'matrix' %}
                {{name}} = {{get_array_name(variables[array])}}[<size_t>_{{outer}} * {{sizes[inner]}} + _{{inner}}]
            {% endfor %}
                {{vector_code[e.block]|autoindent}}
                {{out}}[{{index}}] += {{e.scale}} * {{e.value}}
{% endmacro %}
