{% extends 'common_group.pyx' %}
{% macro _place(side, value) %}
{% if '_own_' + side in used %}
_own_{{side}} = {{value}}
{% endif %}
{% if '_unit_' + side in used %}
_unit_{{side}} = {{value}}{{' + %d' % start[side] if start[side]}}
{% endif %}
{% endmacro %}
{% block maincode %}
    cdef int _which, _spike, _other, _row, _unit
    {% if waiting %}
    cdef _numpy.ndarray[int32_t, ndim=1, mode='c'] _spikes = _due_spikes()
    cdef int _n_spikes = len(_spikes)
    if _n_spikes == 0:
        return
    {% else %}
    # not at spikes, but for all
    cdef int _n_spikes = {{size[own]}}
    {% if guards %}
    _vectorisation_idx = 1
    {{scalar_code['scalars']|autoindent}}
    {{vector_code['scalars']|autoindent}}
    if not ({% for name in guards %}{{name}} != 0{{' or ' if not loop.last}}{% endfor %}):
        return
    {% endif %}
    {% endif %}
    {% for kind, block in steps %}
    _vectorisation_idx = 1
    {{scalar_code[block]|autoindent}}
    {% if kind == 'synaptic' %}
    for _which in range(_n_spikes):
        _spike = {{'_spikes[_which]' if waiting else '_which'}}
        _row = _spike // {{n[own]}}
        _unit = _spike - _row * {{n[own]}}
        {{_place(own, '_spike')|autoindent}}
        {% if 'i' in used and own == 'pre' %}
        i = _unit
        {% endif %}
        {% if 'j' in used and own == 'post' %}
        j = _unit
        {% endif %}
        for _other in range({{n[other]}}):
            {% if own == 'pre' %}
            _idx = <size_t>_unit * {{n.post}} + _other
            {% else %}
            _idx = <size_t>_other * {{n.post}} + _unit
            {% endif %}
            {% if mask %}
            if {{get_array_name(variables[mask])}}[_idx] == 0:
                continue
            {% endif %}
            {% if '_stored' in used %}
            _stored = {{'_other * %d + _unit' % n.pre if own == 'pre' else '_unit * %d + _other' % n.pre}}
            {% endif %}
            {{_place(other, '_row * %d + _other' % n[other])|autoindent}}
            {% if 'i' in used and own == 'post' %}
            i = _other
            {% endif %}
            {% if 'j' in used and own == 'pre' %}
            j = _other
            {% endif %}
            _vectorisation_idx = _idx
            {{vector_code[block]|autoindent}}
    {% else %}
    {% set side = own if kind == 'spiking' else kind %}
    for _which in range({{'_n_spikes' if kind == 'spiking' else size[side]}}):
        _spike = {{'_spikes[_which]' if kind == 'spiking' else '_which'}}
        {{_place(side, '_spike')|autoindent}}
        _vectorisation_idx = _spike
        {{vector_code[block]|autoindent}}
    {% endif %}
    {% endfor %}
    {% if solves %}
    {{get_array_name(variables[last])}}[0] = {{constant_or_scalar('t', variables['t'])}}
    {% endif %}
{% endblock %}
