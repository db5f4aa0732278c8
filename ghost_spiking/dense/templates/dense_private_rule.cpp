{# USES_VARIABLES { _rows } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% macro _history(name) %}{{get_array_name(variables[name], access_data=False)}}{% endmacro %}
{% set _float = c_data_type(variables[names.target].dtype) %}
{# Under this name in all namespaces, see _compiler.py. #}
{% macro _flush() %}void _flush_{{codeobj_name}}() __asm__("dense_flush_{{codeobj_name}}");{% endmacro %}
{% block extra_headers %}
{% include 'blas.h' %}
{{_flush()}}
{% endblock %}

{% block maincode %}
    dense_use_one_thread();
    {{_macros.rows(constant_or_scalar('_rows', variables['_rows']), owner.name)}}
    {{_macros.scalars(scalar_code, vector_code)}}
    if (!{{_array(names.open)}}[0])
    {
        {{_array(names.open)}}[0] = 1;
        {{_array(names.count)}}[0] = 0;
        {{_array(names.kept)}}[0] = 1;
    }
    {% if decay %}
    if ({{decay}} != 0)
    {
        {{_array(names.kept)}}[0] *= 1 + {{decay}};
        {{_float}}* _changes = {{_history(names.post)}}.data();
        const size_t _n_changes = {{_history(names.post)}}.size();
        {{_macros.in_parallel('_n_changes')}}
        for (size_t _i = 0; _i < _n_changes; _i++)
            _changes[_i] *= 1 + {{decay}};
    }
    {% endif %}
    {# Nothing is evaluated while all coefficients are zero, as outside of their phase. #}
    if ({% for p in products %}{{p.scale}} != 0{{' || ' if not loop.last}}{% endfor %}{{'false' if not products}})
    {
        {{_macros.evaluate('pre', sizes.pre, scalar_code, vector_code)}}
        {{_macros.evaluate('post', sizes.post, scalar_code, vector_code)}}
    {% for p in products %}
        if ({{p.scale}} != 0)
        {
            {{_array(names.count)}}[0]++;
            {{_history(names.pre)}}.insert({{_history(names.pre)}}.end(), {{_array(p.left)}}, {{_array(p.left)}} + _n_rows * {{n_pre}});
            const size_t _size = _n_rows * {{n_post}};
            const size_t _first = {{_history(names.post)}}.size();
            {{_history(names.post)}}.resize(_first + _size);
            {{_float}}* __restrict _change = {{_history(names.post)}}.data() + _first;
            const {{_float}}* __restrict _factor = {{_array(p.right)}};
            const {{_float}} _scale = {{p.scale}};
            {{_macros.in_parallel('_size')}}
            for (size_t _i = 0; _i < _size; _i++)
                _change[_i] = _scale * _factor[_i];
        }
    {% endfor %}
    }
    if ({{constant_or_scalar('_presented_step', variables['_presented_step'])}} == {{constant_or_scalar('_presented_steps', variables['_presented_steps'])}} - 1)
    {
        _flush_{{codeobj_name}}();
    }
{% endblock %}

{% block extra_functions_cpp %}
// Adds the mean of what the replicas have learned to the weights that they share.
void _flush_{{codeobj_name}}()
{
    using namespace brian;
    %CONSTANTS%
    {{pointers_lines|autoindent}}
    if (!{{_array(names.open)}}[0])
        return;
    {{_array(names.open)}}[0] = 0;
    const {{_float}} _kept = {{_array(names.kept)}}[0];
    const int _count = {{_array(names.count)}}[0];
    const int _n_rows = {{constant_or_scalar('_rows', variables['_rows'])}};
    {{_float}}* _weights = {{_array(names.target)}};
    if (_count > 0)
        dense_gemm(true, false, {{n_pre}}, {{n_post}}, _count * _n_rows, ({{_float}})1 / _n_rows,
                   {{_history(names.pre)}}.data(), {{n_pre}}, {{_history(names.post)}}.data(), {{n_post}},
                   _kept, _weights, {{n_post}});
    else if (_kept != 1)
        {{_macros.in_parallel(n_pre * n_post)}}
        for (size_t _i = 0; _i < {{n_pre * n_post}}; _i++)
            _weights[_i] *= _kept;
    {{_history(names.pre)}}.clear();
    {{_history(names.post)}}.clear();
}
{% endblock %}

{% block after_code %}
    // A run that ends during a presentation leaves complete weights behind.
    {{_flush()}}
    _flush_{{codeobj_name}}();
{% endblock %}
