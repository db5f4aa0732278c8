{# USES_VARIABLES { _rows } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% macro _factor(name, float) %}{% if name %}{{_array(name)}}{% else %}({{float}}*)0{% endif %}{% endmacro %}
{# Under this name in all namespaces, see _compiler.py. #}
{% macro _flush() %}void _flush_{{codeobj_name}}() __asm__("dense_flush_{{codeobj_name}}");{% endmacro %}
{% macro _each(e) %}
{{_macros.each(e, {'n_pre': n_pre, 'n_post': n_post, 'stored_transposed': false}, variables, get_array_name, scalar_code, vector_code, _array(e.buffer), '_pre * %d + _post' % n_post)}}
{%- endmacro %}
{% block extra_headers %}
{% include 'blas.h' %}
{% if clamped %}
{{_flush()}}
{% endif %}
{% endblock %}

{% block maincode %}
    dense_use_one_thread();
    {{_macros.rows(constant_or_scalar('_rows', variables['_rows']), owner.name)}}
    {{_macros.scalars(scalar_code, vector_code)}}
{% if clamped %}
    {% set p = products[0] %}
    {% set names = clamped.names %}
    {% set float = c_data_type(variables[names.total].dtype) %}
    if ({{p.scale}} != 0)
    {
        {{_macros.evaluate('post', sizes.post, scalar_code, vector_code)}}
        {
            const size_t _size = _n_rows * {{n_post}};
            const {{float}} _scale = {{p.scale}};
            const bool _first = !{{_array(names.accumulated)}}[0];
            const {{float}}* __restrict _factor = {{_array(p.right)}};
            {{float}}* __restrict _delta = {{_array(names.delta)}};
            {{float}}* __restrict _total = {{_array(names.total)}};
            if (_first)
            {
                {{_macros.in_parallel('_size')}}
                for (size_t _i = 0; _i < _size; _i++)
                    _total[_i] = _delta[_i] = _scale * _factor[_i];
            }
            else
            {
                {{_macros.in_parallel('_size')}}
                for (size_t _i = 0; _i < _size; _i++)
                {
                    _delta[_i] = _scale * _factor[_i];
                    _total[_i] += _delta[_i];
                }
            }
        }
        {{_array(names.pending)}}[0] = 1;
        {{_array(names.accumulated)}}[0] = 1;
    }
    if ({{_array(names.accumulated)}}[0] && {{constant_or_scalar('_clamped_step', variables['_clamped_step'])}} == {{constant_or_scalar('_clamped_steps', variables['_clamped_steps'])}} - 1)
    {
        _flush_{{codeobj_name}}();
    }
{% else %}
    {# Nothing is evaluated while all coefficients are zero, as outside of their phase. #}
    if ({% for p in products + each %}{{p.scale}} != 0 || {% endfor %}{{'true' if 'integrate' in vector_code else 'false'}})
    {
        {{_macros.evaluate('pre', sizes.pre, scalar_code, vector_code)}}
        {{_macros.evaluate('post', sizes.post, scalar_code, vector_code)}}
        {{_macros.evaluate('matrix', sizes.matrix, scalar_code, vector_code)}}
    {% for p in products %}
        {% set out = _array(p.buffer or p.target) %}
        {% set float = c_data_type(variables[p.buffer or p.target].dtype) %}
        {% if p.buffer %}
        if ({{p.scale}} == 0)
            std::fill_n({{out}}, {{sizes.matrix}}, ({{float}})0);
        else
        {% else %}
        if ({{p.scale}} != 0)
        {% endif %}
            dense_outer<{{float}}>({{0 if p.buffer else 1}}, {{p.scale}}, {{_factor(p.left, float)}}, {{_factor(p.right, float)}}, {{out}}, _n_rows, {{n_pre}}, {{n_post}});
    {% endfor %}
    {% for e in each %}
        {% set float = c_data_type(variables[e.buffer].dtype) %}
        std::fill_n({{_array(e.buffer)}}, {{sizes.matrix}}, ({{float}})0);
        {{_each(e)}}
        {{_macros.in_parallel(sizes.matrix)}}
        for (size_t _i = 0; _i < {{sizes.matrix}}; _i++)
            {{_array(e.buffer)}}[_i] /= _n_rows;
    {% endfor %}
        {{_macros.evaluate('integrate', sizes.integrate, scalar_code, vector_code)}}
    }
{% endif %}
{% endblock %}

{% block extra_functions_cpp %}
{% if clamped %}
{% set names = clamped.names %}
{% set float = c_data_type(variables[names.total].dtype) %}
// Writes what has been learned during the presentation into the weights.
void _flush_{{codeobj_name}}()
{
    using namespace brian;
    %CONSTANTS%
    {{pointers_lines|autoindent}}
    if (!{{_array(names.accumulated)}}[0])
        return;
    dense_outer<{{float}}>(1, 1, {{_array(names.learned)}}, {{_array(names.total)}},
                {{_array(clamped.target)}}, {{constant_or_scalar('_rows', variables['_rows'])}},
                {{n_pre}}, {{n_post}});
    {{_array(names.accumulated)}}[0] = 0;
}
{% endif %}
{% endblock %}

{% block after_code %}
{% if clamped %}
    // A run that ends during a presentation leaves complete weights behind.
    {{_flush()}}
    _flush_{{codeobj_name}}();
{% else %}
    // EMPTY_CODE_BLOCK
{% endif %}
{% endblock %}
